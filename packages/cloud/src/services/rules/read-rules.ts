import { iterate } from "../../store/iterate.js";
import type { StoreEntry } from "../../store/store.js";
import { answer, type Operation } from "../operation.js";
import { ruleKeys, type RuleRecord } from "./model.js";

/** All rules of an account, in the order of their names. */
export const readRules: Operation<undefined, StoreEntry<RuleRecord>[]> = async ({ store, scope }) => {
  const entries: StoreEntry<RuleRecord>[] = [];
  for await (const entry of iterate<RuleRecord>(store, ruleKeys.all(scope))) entries.push(entry);
  return answer(entries);
};
