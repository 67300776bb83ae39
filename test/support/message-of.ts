/** How work fails: its error's name and message; "no error" where it does not. */
export async function messageOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === "function" ? work() : work);
    return "no error";
  } catch (error) {
    return textOf(error);
  }
}

/** The same of work that is done at once. */
export function messageAtOnce(work: () => unknown): string {
  try {
    work();
    return "no error";
  } catch (error) {
    return textOf(error);
  }
}

const textOf = (error: unknown) => `${(error as Error).name}: ${(error as Error).message}`;
