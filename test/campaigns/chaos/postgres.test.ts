import { noPostgres } from "../../support/installed.ts";
import { RealPostgres } from "./fleet.ts";
import { describeChaos } from "./short.ts";

describeChaos("PostgreSQL", noPostgres, () => new RealPostgres());
