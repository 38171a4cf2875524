/** What changes between two texts, line by line. */

export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed';
  readonly text: string;
}

/** A stretch of lines to show, or of unchanged lines to leave out. */
export type Hunk =
  | { readonly kind: 'lines'; readonly lines: readonly DiffLine[] }
  | { readonly kind: 'gap'; readonly lines: readonly DiffLine[] };

/** Above so many cells of the table, all is said to be removed and added. */
const LIMIT = 4_000_000;

/** The lines of two texts, as a longest common subsequence pairs them. */
export function diffLines(before: string, after: string): DiffLine[] {
  const old = linesOf(before);
  const now = linesOf(after);
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) {
    head++;
  }
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  ) {
    tail++;
  }
  const same = (lines: readonly string[]): DiffLine[] =>
    lines.map(text => ({ kind: 'same', text }));
  return [
    ...same(old.slice(0, head)),
    ...between(old.slice(head, old.length - tail), now.slice(head, now.length - tail)),
    ...same(old.slice(old.length - tail))
  ];
}

/** The lines with long stretches that did not change set apart; `context` lines stay around. */
export function hunksOf(lines: readonly DiffLine[], context = 3): Hunk[] {
  const isNear = new Array<boolean>(lines.length).fill(false);
  lines.forEach((line, i) => {
    if (line.kind !== 'same') {
      isNear.fill(true, Math.max(0, i - context), Math.min(lines.length, i + context + 1));
    }
  });
  const hunks: { kind: 'lines' | 'gap'; lines: DiffLine[] }[] = [];
  lines.forEach((line, i) => {
    const kind = isNear[i] === true ? 'lines' : 'gap';
    const last = hunks.at(-1);
    if (last?.kind === kind) {
      last.lines.push(line);
    } else {
      hunks.push({ kind, lines: [line] });
    }
  });
  // A gap of one or two lines takes as much room as what it hides.
  return hunks.map(hunk => (hunk.lines.length <= 2 ? { ...hunk, kind: 'lines' } : hunk));
}

/** How many lines were added and removed. */
export function sizeOf(lines: readonly DiffLine[]): { added: number; removed: number } {
  const count = (kind: DiffLine['kind']): number => lines.filter(line => line.kind === kind).length;
  return { added: count('added'), removed: count('removed') };
}

function between(old: readonly string[], now: readonly string[]): DiffLine[] {
  const removed = old.map((text): DiffLine => ({ kind: 'removed', text }));
  const added = now.map((text): DiffLine => ({ kind: 'added', text }));
  if (old.length === 0 || now.length === 0 || old.length * now.length > LIMIT) {
    return [...removed, ...added];
  }
  // lengths[i * width + j]: how many lines old[i..] and now[j..] have in common.
  const width = now.length + 1;
  const lengths = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    const [one, other] = [old[i], now[j]];
    if (one !== undefined && one === other) {
      lines.push({ kind: 'same', text: one });
      i++;
      j++;
    } else if (one !== undefined && (other === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ kind: 'removed', text: one });
      i++;
    } else {
      lines.push({ kind: 'added', text: other ?? '' });
      j++;
    }
  }
  return lines;
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') {
    lines.pop();
  }
  return lines;
}
