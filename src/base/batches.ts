/** A long list, some at a time: each batch is a transaction of its own. */

/** The items in order, at most `size` in each batch. */
export function* inBatches<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
