/** The plugin: where the parts are put together. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { PanelActions } from './actions';
import { CellToolbars } from './cell_toolbar';
import { addCommands, COMMANDS } from './commands';
import { PanelModel } from './model';
import { Panel, PANEL_ID } from './panel';
import { showBundles } from './rendering';
import { Settings } from './settings';
import { surroundings } from './surroundings';

const ID = 'mlestar-jupyter-labextension:plugin';

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'MLE-STAR: an agent that searches for machine-learning solutions, in a sidebar.',
  autoStart: true,
  requires: [INotebookTracker, IDocumentManager],
  optional: [IRenderMimeRegistry, ISettingRegistry, ICommandPalette, ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    documents: IDocumentManager,
    rendermime: IRenderMimeRegistry | null,
    registry: ISettingRegistry | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const settings = new Settings(registry, ID);
    const model = new PanelModel(tracker, `${app.name} ${app.version}`, () => settings.values);
    const actions = new PanelActions(model, surroundings(app, documents));
    const show = rendermime === null ? null : showBundles(rendermime);
    const panel = new Panel(model, actions, show);
    const place = (): void => {
      app.shell.add(panel, settings.values.side, { rank: 900, type: 'MLE-STAR' });
    };
    const reveal = (): void => {
      app.shell.activateById(PANEL_ID);
    };
    place();
    settings.sideChanged.connect(place);
    restorer?.add(panel, PANEL_ID);

    const toolbars = new CellToolbars(model, actions, reveal);
    tracker.forEach(notebook => {
      toolbars.follow(notebook);
    });
    tracker.widgetAdded.connect((_, notebook) => {
      toolbars.follow(notebook);
    });

    addCommands(app.commands, palette, model, actions, reveal);
    launcher?.add({
      command: COMMANDS.newTask,
      category: 'Notebook',
      rank: 10,
      args: { isLauncher: true }
    });
  }
};

export default plugin;
