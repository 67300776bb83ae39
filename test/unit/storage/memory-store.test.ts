import { MemoryStore } from "../../support/memory-store.ts";
import { describeStore, type StoreUnderTest } from "./conformance.ts";

const under = (store: MemoryStore): StoreUnderTest => ({
  store,
  reopen: () => under(store.reopen()),
});

describeStore("the store in memory, which the tests use", () => under(new MemoryStore()));
