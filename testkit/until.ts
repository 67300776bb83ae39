/** Waits until something is so; asks again and again, as nothing outside this process tells. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  everyMilliseconds = 10,
): Promise<void> {
  while (!(await isSo())) await Bun.sleep(everyMilliseconds);
}

/** The same for work that fails until then. */
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
