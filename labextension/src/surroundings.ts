/** What JupyterLab (or Notebook) does for us: notebooks, dialogs, files. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog } from '@jupyterlab/filebrowser';

/** What is done by JupyterLab for us. */
export interface Surroundings {
  /** Make a notebook and open it. */
  newNotebook(): Promise<void>;
  /** Let the user choose a folder, below the server's root; null if they chose none. */
  pickFolder(start: string): Promise<string | null>;
  /** Open a file, by its path below the server's root. Rejected if it is not there. */
  openFile(path: string): Promise<void>;
}

/** The surroundings of this application. */
export function surroundings(app: JupyterFrontEnd, documents: IDocumentManager): Surroundings {
  return {
    newNotebook: async () => {
      await app.commands.execute('notebook:create-new', { kernelName: 'python3' });
    },
    pickFolder: async start => {
      const { value } = await FileDialog.getExistingDirectory({
        manager: documents,
        title: 'The folder with train and test',
        defaultPath: start
      });
      return value?.[0]?.path ?? null;
    },
    openFile: async path => {
      await app.serviceManager.contents.get(path, { content: false });
      documents.openOrReveal(path);
    }
  };
}
