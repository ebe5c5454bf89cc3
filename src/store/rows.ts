/** Typed prepared statements: rows come back as the caller declares them, once, at the place that writes the SQL. */
import type { Db } from "./database.ts";

type Bindings = Record<string, string | number | bigint | Buffer | null>;

export interface Statement<Row> {
  readonly get: (bindings?: Bindings) => Row | undefined;
  readonly all: (bindings?: Bindings) => Row[];
  /** Row by row; to be finished or left before anything is awaited. */
  readonly iterate: (bindings?: Bindings) => IterableIterator<Row>;
  readonly run: (bindings?: Bindings) => {
    readonly changes: number;
    readonly lastInsertRowid: number | bigint;
  };
}

/** A statement with named parameters (`:name`); `Row` is what its columns are. */
export function statement<Row = never>(db: Db, sql: string): Statement<Row> {
  const prepared = db.prepare<[Bindings], Row>(sql);
  return {
    get: (bindings = {}) => prepared.get(bindings),
    all: (bindings = {}) => prepared.all(bindings),
    iterate: (bindings = {}) => prepared.iterate(bindings),
    run: (bindings = {}) => prepared.run(bindings),
  };
}

export const now = (): string => new Date().toISOString();
