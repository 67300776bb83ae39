/**
 * One attack, in a process of its own: run with its name, the ports and the scale. It gives way to
 * the server and to the client that measures, as if it came from another machine. The status is not
 * 0 where somebody was not served.
 */

import { setPriority } from "node:os";
import { Siege } from "./attack.ts";
import { attacks } from "./attacks.ts";

const NICE = 10;

const [name, port, tlsPort, scale] = process.argv.slice(2);
const attack = attacks.find((each) => each.name === name);
if (attack === undefined) throw new Error(`there is no attack '${name}'`);
setPriority(NICE);
await attack.run(new Siege(Number(port), Number(tlsPort), Number(scale), attack));
process.exit(0);
