/** A long list of rows of one height, of which only those in view are rendered. */

import * as React from 'react';

/** Rows above and below the view that are rendered as well. */
const MARGIN = 5;

interface Props {
  readonly count: number;
  readonly rowHeight: number;
  /** Pixels that the list may take at most. */
  readonly height: number;
  readonly label: string;
  readonly role: 'tree' | 'listbox';
  readonly active: number;
  readonly onActive: (index: number) => void;
  /** Enter, or a click. */
  readonly onOpen: (index: number) => void;
  /** A click on an element with `data-part` within a row. */
  readonly onPart?: (index: number, part: string) => void;
  /** A key that the list has no use for. */
  readonly onKey?: (key: string, index: number) => boolean;
  /** Keep the last row in view while it is in view. */
  readonly followsEnd?: boolean;
  readonly className?: string;
  /** Attributes of a row, such as `aria-level`. */
  readonly attributes?: (index: number) => React.HTMLAttributes<HTMLDivElement>;
  readonly row: (index: number) => React.ReactNode;
}

/** The rows from `first` to before `end` that are to be rendered. */
export function windowOf(
  count: number,
  rowHeight: number,
  height: number,
  top: number
): { readonly first: number; readonly end: number } {
  const highest = Math.max(0, count * rowHeight - height);
  const from = Math.min(Math.max(0, top), highest);
  const first = Math.max(0, Math.floor(from / rowHeight) - MARGIN);
  const end = Math.min(count, Math.ceil((from + height) / rowHeight) + MARGIN);
  return { first, end };
}

export function VirtualList(props: Props): React.JSX.Element {
  const { count, rowHeight, active, role } = props;
  const height = Math.min(props.height, Math.max(1, count) * rowHeight);
  const scroller = React.useRef<HTMLDivElement>(null);
  const isAtEnd = React.useRef(true);
  const [top, setTop] = React.useState(0);
  const id = React.useId();

  React.useLayoutEffect(() => {
    const element = scroller.current;
    if (props.followsEnd === true && isAtEnd.current && element !== null) {
      element.scrollTop = count * rowHeight;
      setTop(element.scrollTop);
    }
  }, [props.followsEnd, count, rowHeight]);

  const goTo = (index: number): void => {
    const next = Math.max(0, Math.min(count - 1, index));
    props.onActive(next);
    const element = scroller.current;
    if (element !== null) {
      const upper = next * rowHeight;
      const shown = Math.min(Math.max(element.scrollTop, upper + rowHeight - height), upper);
      element.scrollTop = shown;
      setTop(shown);
    }
  };

  const onKeyDown = (event: React.KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(height / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: count - 1
    };
    const move = moves[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || count === 0) {
      return;
    }
    if (move !== undefined) {
      goTo(move);
    } else if (event.key === 'Enter' && active >= 0) {
      props.onOpen(active);
    } else if (props.onKey?.(event.key, active) !== true) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const onClick = (event: React.MouseEvent): void => {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>('[data-index]');
    if (row === null) {
      return;
    }
    const index = Number(row.dataset.index);
    const part = target.closest<HTMLElement>('[data-part]')?.dataset.part;
    props.onActive(index);
    if (part !== undefined && props.onPart !== undefined) {
      props.onPart(index, part);
    } else {
      props.onOpen(index);
    }
  };

  const { first, end } = windowOf(count, rowHeight, height, top);
  const rows: React.ReactNode[] = [];
  // A row that leaves the view becomes the one that enters it: new elements would cost far more.
  const slots = Math.ceil(height / rowHeight) + 2 * MARGIN + 1;
  for (let index = first; index < end; index++) {
    rows.push(
      <div
        key={index % slots}
        id={`${id}-${index}`}
        data-index={index}
        role={role === 'tree' ? 'treeitem' : 'option'}
        aria-selected={index === active}
        className={`mlestar-Row${index === active ? ' mlestar-mod-active' : ''}`}
        {...props.attributes?.(index)}
        style={{ height: rowHeight, transform: `translateY(${index * rowHeight}px)` }}
      >
        {props.row(index)}
      </div>
    );
  }
  const isActiveShown = active >= first && active < end;
  return (
    // Both roles take the focus, and say by `aria-activedescendant` which row has it.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      ref={scroller}
      className={`mlestar-VirtualList ${props.className ?? ''}`}
      style={{ height }}
      role={role}
      aria-label={props.label}
      aria-activedescendant={isActiveShown ? `${id}-${active}` : undefined}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onScroll={({ currentTarget }) => {
        const { scrollTop } = currentTarget;
        isAtEnd.current = scrollTop + height >= count * rowHeight - rowHeight;
        setTop(scrollTop);
      }}
    >
      <div role="presentation" style={{ height: count * rowHeight, position: 'relative' }}>
        {rows}
      </div>
    </div>
  );
}
