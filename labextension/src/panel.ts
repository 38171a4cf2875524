/** The sidebar as a widget of JupyterLab: an icon, a title, and React inside. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Rendering, type ShowBundle } from './components/rendering';
import { Sidebar } from './components/Sidebar';
import { starIcon } from './icon';
import type { PanelModel } from './model';
import type { Actions } from './state';

/** The id by which the shell knows the panel. */
export const PANEL_ID = 'mlestar-panel';

/** The panel. It renders only while it is shown. */
export class Panel extends ReactWidget {
  constructor(
    private readonly model: PanelModel,
    private readonly actions: Actions,
    private readonly showBundle: ShowBundle | null
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('mlestar-Panel');
    this.title.icon = starIcon;
    this.title.caption = 'MLE-STAR';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'MLE-STAR');
    model.stateChanged.connect(this.onState, this);
  }

  protected override render(): React.JSX.Element {
    const { state } = this.model;
    const sidebar = React.createElement(Sidebar, { state, actions: this.actions });
    return React.createElement(Rendering.Provider, { value: this.showBundle }, sidebar);
  }

  protected override onAfterShow(): void {
    this.update();
  }

  private onState(): void {
    if (this.isVisible) {
      this.update();
    }
  }
}
