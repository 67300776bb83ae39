/** Math.min() and Math.max() for BigInt. */

export function smallest(first: bigint, ...others: readonly bigint[]): bigint {
  let found = first;
  for (const number of others) if (number < found) found = number;
  return found;
}

export function largest(first: bigint, ...others: readonly bigint[]): bigint {
  let found = first;
  for (const number of others) if (number > found) found = number;
  return found;
}
