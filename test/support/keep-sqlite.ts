/** Tests open databases of their own; on Node versions that abort when the collector takes a statement these are kept too. */
import Database from 'better-sqlite3';
import { collectorAborts, keepStatements } from '../../src/core/kept-statements.js';

if (collectorAborts()) {
  const plain = Database.prototype;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- they are given back to each connection below
  const { prepare, pragma, exec } = plain;
  const keep = (db: Database.Database): Database.Database => keepStatements(Object.assign(db, { prepare, pragma }));
  plain.prepare = function (this: Database.Database, sql: string) {
    return keep(this).prepare(sql);
  };
  plain.pragma = function (this: Database.Database, source, options) {
    return keep(this).pragma(source, options);
  };
  plain.exec = function (this: Database.Database, sql) {
    if (!Object.hasOwn(this, 'prepare')) keep(this);
    return exec.call(this, sql);
  };
}
