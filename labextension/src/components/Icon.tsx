import * as React from 'react';

/** Drawn here, since not every machine has a font with these signs. */
const PATHS = {
  play: 'M4 2.5v11l9-5.5z',
  pause: 'M4 3h3v10H4zM9 3h3v10H9z',
  step: 'M3 2.5v11l7-5.5zM11 3h2v10h-2z',
  stop: 'M3.5 3.5h9v9h-9z',
  plus: 'M7 3h2v4h4v2H9v4H7V9H3V7h4z',
  back: 'M10.5 2.5 5 8l5.5 5.5 1.2-1.2L7.4 8l4.3-4.3z',
  close: 'M4.2 3 8 6.8 11.8 3 13 4.2 9.2 8l3.8 3.8-1.2 1.2L8 9.2 4.2 13 3 11.8 6.8 8 3 4.2z',
  chevron: 'M5.8 3 10.8 8l-5 5-1.1-1.1L8.6 8 4.7 4.1z',
  pin: 'M5 2h6v1.5l-1 .8v3l2 2V11H8.7v3.5h-1.4V11H4V9.3l2-2v-3l-1-.8z',
  star: 'M8 1.2l2.1 4.4 4.7.6-3.5 3.3.9 4.7L8 11.9l-4.2 2.3.9-4.7L1.2 6.2l4.7-.6z',
  diamond: 'M8 2l5 6-5 6-5-6z',
  check: 'M6.4 12.6 2.3 8.5l1.2-1.2 2.9 2.9 6.1-6.1 1.2 1.2z',
  dot: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  ring: 'M8 3.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4zm0 1.4a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z',
  half: 'M8 2.3a5.7 5.7 0 1 0 0 11.4A5.7 5.7 0 0 0 8 2.3zm0 1.5v8.4a4.2 4.2 0 0 1 0-8.4z',
  alert: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zM7.2 4.6h1.6v4.4H7.2zm0 5.3h1.6v1.6H7.2z',
  undo: 'M6.2 2.5 2 6.5l4.2 4V7.7h3.1a2.3 2.3 0 0 1 0 4.6H6v1.5h3.3a3.8 3.8 0 0 0 0-7.6H6.2z',
  dash: 'M3.5 7.2h9v1.6h-9z'
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): React.JSX.Element {
  return (
    <svg className="mlestar-Icon" viewBox="0 0 16 16" aria-hidden focusable={false}>
      <path d={PATHS[name]} fillRule="evenodd" />
    </svg>
  );
}

/** The sign of what folds: it points down while it is open. */
export function Twisty(props: {
  readonly isOpen: boolean;
  readonly isClickable?: boolean;
}): React.JSX.Element {
  const { isOpen, isClickable = false } = props;
  return (
    <span
      className={`mlestar-Twisty${isOpen ? ' mlestar-mod-open' : ''}`}
      data-part={isClickable ? 'twisty' : undefined}
      aria-hidden
    >
      <Icon name="chevron" />
    </span>
  );
}
