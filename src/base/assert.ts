/**
 * Assertions that stay on in production. A failing one is a programmer's error: the server stops
 * rather than go on with a state it does not understand.
 */

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws AssertionError with `message` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
