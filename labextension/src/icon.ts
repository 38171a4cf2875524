import { LabIcon } from '@jupyterlab/ui-components';

import source from '../style/icon.svg';

/** A star. */
export const starIcon = new LabIcon({ name: 'mlestar-jupyter-labextension:icon', svgstr: source });
