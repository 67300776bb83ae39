import { noEtcdctl } from "../../support/installed.ts";
import { RealEtcd } from "./fleet.ts";
import { describeChaos } from "./short.ts";

describeChaos("etcd", noEtcdctl, () => new RealEtcd());
