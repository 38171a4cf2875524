import * as React from 'react';

/** Drawn here, since not every machine has a font with these signs. */
const PATHS = {
  play: 'M4 2.5v11l9-5.5z',
  pause: 'M4 3h3v10H4zM9 3h3v10H9z',
  step: 'M3 2.5v11l7-5.5zM11 3h2v10h-2z',
  stop: 'M3.5 3.5h9v9h-9z',
  plus: 'M7 3h2v4h4v2H9v4H7V9H3V7h4z',
  back: 'M10.5 2.5 5 8l5.5 5.5 1.2-1.2L7.4 8l4.3-4.3z',
  pin: 'M5 2h6v1.5l-1 .8v3l2 2V11H8.7v3.5h-1.4V11H4V9.300l2-2v-3l-1-.8z'
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): React.JSX.Element {
  return (
    <svg className="mlestar-Icon" viewBox="0 0 16 16" aria-hidden focusable={false}>
      <path d={PATHS[name]} />
    </svg>
  );
}
