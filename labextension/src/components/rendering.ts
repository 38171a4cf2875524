/** The door through which outputs are shown: components do not know what JupyterLab can show. */

import * as React from 'react';

/** An output in several forms, by MIME type. */
export type Bundle = Readonly<Record<string, unknown>>;

/**
 * Shows the best form of a bundle in an element; gives how to take it away. Null if it has no form
 * that can be shown safely.
 */
export type ShowBundle = (data: Bundle, metadata: Bundle, host: HTMLElement) => (() => void) | null;

/** How bundles are shown; null where there is nobody to show them, and text must do. */
export const Rendering = React.createContext<ShowBundle | null>(null);
