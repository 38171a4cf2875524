/** The user's settings, with defaults until they are read. `schema/plugin.json` describes them. */

import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { type ISignal, Signal } from '@lumino/signaling';

import type { Preferences } from './run_cells';

/** All settings. */
export interface Values extends Preferences {
  readonly side: 'left' | 'right';
}

const DEFAULTS: Values = { side: 'right', insertCells: true, foldCells: true };

/** The settings as they are now. */
export class Settings {
  private readonly _sideChanged = new Signal<this, Values['side']>(this);
  private _values = DEFAULTS;

  constructor(registry: ISettingRegistry | null, id: string) {
    registry
      ?.load(id)
      .then(settings => {
        settings.changed.connect(this.read, this);
        this.read(settings);
      })
      .catch((error: unknown) => {
        console.warn(`MLE-STAR uses its default settings: ${String(error)}`);
      });
  }

  get values(): Values {
    return this._values;
  }

  get sideChanged(): ISignal<this, Values['side']> {
    return this._sideChanged;
  }

  private read(settings: ISettingRegistry.ISettings): void {
    const before = this._values.side;
    this._values = { ...DEFAULTS, ...(settings.composite as Partial<Values>) };
    if (this._values.side !== before) {
      this._sideChanged.emit(this._values.side);
    }
  }
}
