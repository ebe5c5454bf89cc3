/** What a program that imports the package has: the client, its failures and its types. */
export { connect } from "./client/connect.ts";
export type {
  ActionInput,
  ActionMethods,
  ActionName,
  ActionOutput,
  CallOptions,
  ConnectOptions,
  Coven,
  EventsOptions,
  OutputOptions,
} from "./client/connect.ts";
export type { Actions } from "./capabilities/registry.ts";
export { Failure } from "./errors.ts";
export type { FailureCode, FailureOptions } from "./errors.ts";
export type { EventKind, EventPayloads, EventRecord, SessionStatus } from "./events.ts";
