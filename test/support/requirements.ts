/** Tells which programs the tests need and this machine lacks. */

const missing = ["redis-cli", "redis-benchmark"].filter((tool) => Bun.which(tool) === null);
if (missing.length > 0) {
  console.error(`The tests need ${missing.join(" and ")}, which this machine does not have.`);
  console.error("On Debian and Ubuntu: apt-get install redis-tools. On macOS: brew install redis.");
  process.exit(1);
}
