/** Waits until a condition holds by polling it, because other processes do not report it. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  everyMilliseconds = 10,
): Promise<void> {
  while (!(await isSo())) await Bun.sleep(everyMilliseconds);
}

/** Waits until work succeeds, by trying it again and again. */
export function succeeds(work: () => unknown): Promise<void> {
  return until(async () => {
    try {
      await work();
      return true;
    } catch {
      return false;
    }
  });
}
