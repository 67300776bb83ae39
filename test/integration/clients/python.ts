/** Python with redis-py, where this machine has it. */

/** Debian's package is for the system's Python, which need not be the first on the path. */
const candidates = ["/usr/bin/python3", "python3"];

/** The Python to run; undefined where none has redis-py. */
export const python: string | undefined = candidates.find(hasRedis);

/** Why there are no tests of redis-py; undefined where there are. */
export const unavailable =
  python === undefined
    ? "no Python here has redis-py (on Debian and Ubuntu: apt-get install python3-redis)"
    : undefined;

function hasRedis(program: string): boolean {
  if (Bun.which(program) === null) return false;
  return Bun.spawnSync([program, "-c", "import redis"]).exitCode === 0;
}
