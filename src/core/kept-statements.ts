/**
 * Keeps what the SQLite driver hands out alive for ever, on Node versions that abort when the garbage collector takes it.
 *
 * From 24.19 on, Node's `ObjectWrap` removes a cleanup hook in its destructor and aborts the process when that happens in
 * a collection outside of JavaScript. The driver's last version that still runs on Node 20 derives statements, iterators
 * and connections from it; its next version needs Node 22 and fails on 20. So on Node 24 and later nothing of the driver is
 * ever left to the collector: a daemon has one connection and prepares its statements once, so this costs kilobytes.
 * Knows the driver by shape only. Does nothing on Node 20 and 22.
 */
interface Statement {
  readonly reader: boolean;
  pluck(toggle?: boolean): Statement;
  get(...parameters: unknown[]): unknown;
  all(...parameters: unknown[]): unknown[];
  run(...parameters: unknown[]): unknown;
  iterate(...parameters: unknown[]): object;
}

interface Connection {
  prepare(sql: string): unknown;
  pragma(source: string, options?: { readonly simple?: boolean }): unknown;
}

const AFFECTED_FROM = 24;
const kept = new Set<object>();

/** Whether this Node aborts when an object of the driver is collected. */
export const collectorAborts = (version: string = process.versions.node): boolean =>
  Number(version.split('.')[0]) >= AFFECTED_FROM;

/** The same connection, whose statements, iterators and pragmas are never collected on Node versions where that aborts. */
export function keepStatements<T extends Connection>(connection: T, aborts: boolean = collectorAborts()): T {
  if (!aborts) return connection;
  kept.add(connection);
  const prepare = connection.prepare.bind(connection) as (sql: string) => Statement;
  const prepareKept = (sql: string): Statement => {
    const statement = prepare(sql);
    kept.add(statement);
    const iterate = statement.iterate.bind(statement);
    statement.iterate = (...parameters) => {
      const iterator = iterate(...parameters);
      kept.add(iterator);
      return iterator;
    };
    return statement;
  };
  // The driver's own pragma() prepares out of our sight; this one does the same with statements that are kept and used again.
  const pragmas = new Map<string, Statement>();
  const pragma = (source: string, options: { readonly simple?: boolean } = {}): unknown => {
    const key = `${options.simple === true ? 'simple' : 'all'} ${source}`;
    let statement = pragmas.get(key);
    if (!statement) {
      statement = prepareKept(`PRAGMA ${source}`);
      if (options.simple === true && statement.reader) statement.pluck();
      pragmas.set(key, statement);
    }
    if (!statement.reader) {
      statement.run();
      return options.simple === true ? undefined : [];
    }
    return options.simple === true ? statement.get() : statement.all();
  };
  return Object.assign(connection, { prepare: prepareKept, pragma });
}
