/** Axes of the chart. */

/** Where values lie in pixels. */
export interface Scale {
  readonly from: number;
  readonly to: number;
  readonly at: (value: number) => number;
}

export function scaleOf(from: number, to: number, start: number, end: number): Scale {
  const span = to - from || 1;
  return { from, to, at: value => start + ((value - from) / span) * (end - start) };
}

/** Round values between two others, about as many as wanted. */
export function ticksOf(from: number, to: number, wanted: number): number[] {
  const span = Math.abs(to - from);
  if (!(span > 0) || !Number.isFinite(span)) {
    return [from];
  }
  const rough = span / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10) * power;
  const low = Math.min(from, to);
  const ticks: number[] = [];
  const first = Math.ceil(low / step - 1e-9);
  for (let i = first; i * step <= low + span * (1 + 1e-9); i++) {
    // Not 0.30000000000000004.
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

/**
 * The values that a chart shows, from the worst to the best: those that are far worse than most are
 * left out, else they would flatten all others.
 */
export function robustDomain(
  values: readonly number[],
  greaterIsBetter: boolean
): { readonly worst: number; readonly best: number } {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) {
    return { worst: 0, best: 1 };
  }
  const best = finite.reduce((one, other) =>
    greaterIsBetter ? Math.max(one, other) : Math.min(one, other)
  );
  const distances = finite.map(value => Math.abs(value - best)).sort((one, other) => one - other);
  const usual = distances[Math.floor(distances.length * 0.75)] ?? 0;
  const furthest = distances.at(-1) ?? 0;
  const limit = usual > 0 ? 4 * usual : furthest;
  const shown = distances.filter(distance => distance <= limit).at(-1) ?? 0;
  const reach = (shown > 0 ? shown : Math.abs(best) * 0.1 || 1) * 1.08;
  const margin = reach * 0.08;
  return greaterIsBetter
    ? { worst: best - reach, best: best + margin }
    : { worst: best + reach, best: best - margin };
}
