/** The files for containers say nothing that the program does not know. No engine runs them here. */

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { parseArguments } from "../../src/cli/arguments.ts";
import { unknownVariables } from "../../src/config/load.ts";
import { root } from "../../testkit/process.ts";

interface Service {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

describe("the Dockerfile", () => {
  const text = readFileSync(join(root, "Dockerfile"), "utf8");

  test("pins what it is made from, and the Bun that the tests run on", () => {
    const images = [...text.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image!);
    expect(images).toEqual([
      `oven/bun:${Bun.version}-debian`,
      expect.stringMatching(/^debian:bookworm-\d{8}-slim@sha256:[0-9a-f]{64}$/),
      "scratch",
    ]);
  });

  test("sets what is a setting, asks for health by a command that there is, and is not root", () => {
    const variables = [...text.matchAll(/NUMBER_DISPENSER_[A-Z_]+(?==)/g)].map(([name]) => name);
    expect(variables.length).toBeGreaterThan(1);
    expect(unknownVariables(variables)).toEqual([]);
    const [, command] = /^HEALTHCHECK .*CMD (\[.*\])$/m.exec(text)!;
    const [program, ...args] = JSON.parse(command!);
    expect([program, parseArguments(args).command]).toEqual(["number-dispenser", "health"]);
    expect(text).toMatch(/^USER 6380:6380$/m);
    expect(text).toMatch(/^VOLUME \/data$/m);
  });

  test("copies files that there are", () => {
    const [stage] = text.split(/^FROM debian/m);
    const sources = [...stage!.matchAll(/^COPY (.*) \S+$/gm)].flatMap(([, files]) =>
      files!.split(" "),
    );
    expect(sources.length).toBeGreaterThan(3);
    for (const file of sources) expect([file, existsSync(join(root, file))]).toEqual([file, true]);
  });
});

describe("compose.yaml", () => {
  const { services, volumes } = parse(readFileSync(join(root, "compose.yaml"), "utf8"), {
    merge: true,
  }) as Compose;

  test("has one node by default, and three on one store with the profile 'cluster'", () => {
    const of = (isIn: (service: Service) => boolean) =>
      Object.keys(services).filter((name) => isIn(services[name]!));
    expect(of(({ profiles }) => profiles === undefined)).toEqual(["node"]);
    const nodes = of(({ environment }) => environment?.NUMBER_DISPENSER_STORE !== undefined);
    expect(nodes).toEqual(["one", "two", "three"]);
    expect(Object.keys(services.balancer!.depends_on!)).toEqual(nodes);
    for (const name of nodes) {
      expect(services[name]).toMatchObject({ profiles: ["cluster"], volumes: [`${name}:/data`] });
    }
  });

  test("sets what is a setting, and names volumes, files and services that there are", () => {
    for (const { environment = {}, volumes: mounts = [], depends_on = {} } of Object.values(
      services,
    )) {
      expect(unknownVariables(Object.keys(environment))).toEqual([]);
      for (const mount of mounts) {
        const [source] = mount.split(":");
        const isThere = source!.startsWith("./")
          ? existsSync(join(root, source!))
          : source! in volumes;
        expect([mount, isThere]).toEqual([mount, true]);
      }
      for (const name of Object.keys(depends_on)) expect(services[name]).toBeDefined();
    }
  });

  test("publishes on this machine alone, as no password is set", () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports).toEqual(["127.0.0.1:6380:6380", "127.0.0.1:6390:6390"]);
  });

  test("the balancer's variables are those of its configuration", () => {
    const text = readFileSync(join(root, "deploy/haproxy.cfg"), "utf8");
    const found = [...text.matchAll(/\$\{([A-Z_]+)-/g)].map(([, name]) => name!);
    const names = [...new Set(found)].sort();
    expect(Object.keys(services.balancer!.environment!).sort()).toEqual(names);
  });
});
