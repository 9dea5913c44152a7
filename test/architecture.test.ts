/**
 * Reads the source and holds it to the plan of the house: floors, one importer for each package, time only in core/time.ts, no
 * barrels, sizes, headers, documents. Every rule is a function from sources to complaints and is shown a bad sample first, so
 * that a rule which finds nothing is known to be able to find something.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { ERRORS } from '../src/core/errors.js';
import { allSources, line, source, target, walk, type Source } from './support/source-scan.js';

const root = new URL('../', import.meta.url).pathname;

/** Complaints as `path: what`. */
type Rule = (sources: readonly Source[]) => readonly string[];

const FLOORS: Readonly<Record<string, number>> = {
  main: 6,
  commands: 6,
  assets: 6,
  gateway: 5,
  demo: 5,
  flows: 4,
  web: 4,
  store: 3,
  uplink: 3,
  classes: 3,
  exports: 3,
  settings: 3,
  policies: 3,
  calendars: 3,
  platform: 3,
  rules: 2,
  sheets: 2,
  drivers: 2,
  links: 2,
  cameras: 2,
  core: 1,
};

/** Rooms of one floor that may know each other all the same. */
const NEIGHBOURS: Readonly<Record<string, readonly string[]>> = {
  main: ['commands'],
  classes: ['store'],
  // What is exported is classes: their rosters, requests and totals.
  exports: ['store', 'classes'],
  platform: ['uplink'],
  // The demonstration is a classroom around the gateway; it builds one like the command line does.
  demo: ['gateway'],
};

/** `src/store/journal.ts` is of the room store; `src/gateway.ts` and `src/gateway-keys.ts` are of the room gateway. */
const room = (path: string): string => path.split('/')[1]?.replace(/(?:-.*)?\.ts$/, '') ?? '';

const floors: Rule = (sources) =>
  sources.flatMap((one) => {
    const own = room(one.path);
    const floor = FLOORS[own];
    if (floor === undefined) return [`${one.path}: room "${own}" has no floor`];
    return one.imports.flatMap(({ from }) => {
      if (!from.startsWith('.')) return [];
      const other = room(target(one, from));
      if (other === own || NEIGHBOURS[own]?.includes(other) === true) return [];
      const below = FLOORS[other] ?? 99;
      if (own === 'platform' && !['rules', 'core'].includes(other))
        return [`${one.path}: platform is a program of its own and may not know ${other}`];
      return below < floor ? [] : [`${one.path}: ${own} (floor ${floor}) may not know ${other} (floor ${below})`];
    });
  });

const relativeImports: Rule = (sources) => {
  const known = new Set(sources.map((one) => one.path));
  return sources.flatMap((one) =>
    one.imports
      .filter(({ from }) => from.startsWith('.') && (!from.endsWith('.js') || !known.has(target(one, from))))
      .map(({ from }) => `${one.path}: ${from} is no file of ours with .js`),
  );
};

/** Packages that one place wraps for all others. */
const OWNERS: Readonly<Record<string, readonly RegExp[]>> = {
  serialport: [/^src\/links\/serial\.ts$/],
  mqtt: [/^src\/uplink\/mqtt\.ts$/, /^src\/platform\/mqtt\.ts$/],
  'better-sqlite3': [/^src\/store\/database\.ts$/, /^src\/platform\/[^/]+\.ts$/],
  luxon: [/^src\/core\/time\.ts$/],
  'fastest-levenshtein': [/^src\/core\/faults\.ts$/],
  yaml: [/^src\/core\/located\.ts$/, /^src\/platform\//, /^src\/demo\//],
  pino: [/^src\/core\/log\.ts$/],
  commander: [/^src\/main\.ts$/, /^src\/commands\/(?:command-line|[a-z]+-commands)\.ts$/],
  ws: [/^src\/links\/websocket\.ts$/],
  'fast-xml-parser': [/^src\/drivers\/hikvision-isapi\/[^/]+\.ts$/],
  'csv-parse': [/^src\/drivers\/usb-file\/[^/]+\.ts$/, /^src\/sheets\/csv\.ts$/],
  yauzl: [/^src\/sheets\/[^/]+\.ts$/],
  saxes: [/^src\/sheets\/[^/]+\.ts$/],
  yazl: [/^src\/sheets\/[^/]+\.ts$/],
  pdfmake: [/^src\/exports\/[^/]+\.ts$/],
  fontkit: [/^src\/exports\/[^/]+\.ts$/],
  qrcode: [/^src\/exports\/[^/]+\.ts$/],
  fastify: [/^src\/web\//],
  'prom-client': [/^src\/web\//],
  aedes: [/^src\/demo\//],
};

const packageOf = (from: string): string =>
  from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');

/** The room of an owner may speak of the package's types; only the owner itself may load it. */
const owners: Rule = (sources) =>
  sources.flatMap((one) =>
    one.imports
      .filter(({ from, typeOnly }) => {
        const patterns = OWNERS[packageOf(from)] ?? [];
        const own = typeOnly && patterns.some((pattern) => pattern.source.includes(`src\\/${room(one.path)}\\/`));
        return patterns.length > 0 && !own && !patterns.some((pattern) => pattern.test(one.path));
      })
      .map(({ from }) => `${one.path}: ${from} belongs to another file`),
  );

const dependencies: Rule = (sources) => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return sources.flatMap((one) =>
    one.imports
      .filter(
        ({ from }) => !from.startsWith('.') && !from.startsWith('node:') && !(packageOf(from) in manifest.dependencies),
      )
      .map(({ from }) => `${one.path}: ${from} is no dependency of package.json`),
  );
};

const CLOCKS = new Set(['Date', 'Intl', 'performance', 'setTimeout', 'setInterval']);

const time: Rule = (sources) =>
  sources
    .filter((one) => one.path !== 'src/core/time.ts')
    .flatMap((one) => {
      const found: string[] = [];
      walk(one.tree, (node) => {
        if (ts.isIdentifier(node) && CLOCKS.has(node.text) && !isNameOnly(node))
          found.push(`${one.path}:${line(one, node)}: ${node.text}`);
        if (ts.isPropertyAccessExpression(node) && node.getText() === 'AbortSignal.timeout')
          found.push(`${one.path}:${line(one, node)}: AbortSignal.timeout`);
      });
      const timers = one.imports
        .filter(({ from }) => from.startsWith('node:timers'))
        .map(({ from }) => `${one.path}: ${from}`);
      return [...found, ...timers];
    });

/** Whether an identifier only names a member of something else, such as `row.Date`. */
function isNameOnly(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent))
    return parent.name === node && parent.expression.getText() !== 'globalThis';
  return (
    (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isMethodSignature(parent)) &&
    parent.name === node
  );
}

const forms: Rule = (sources) =>
  sources.flatMap((one) => {
    const found: string[] = [];
    const complain = (node: ts.Node, what: string): void => void found.push(`${one.path}:${line(one, node)}: ${what}`);
    walk(one.tree, (node) => {
      if (ts.isEnumDeclaration(node)) complain(node, 'enum');
      if (ts.isModuleDeclaration(node)) complain(node, 'namespace');
      if (ts.isDecorator(node)) complain(node, 'decorator');
      if (ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword)
        if (!ts.isDefaultClause(node.parent)) complain(node, 'default export');
      if (
        ts.isPropertyAccessExpression(node) &&
        /^console\.(?:log|info|warn|error|debug|table|dir)$/.test(node.getText())
      )
        complain(node, 'console');
    });
    for (const { from, reexport } of one.imports) if (reexport) found.push(`${one.path}: passes ${from} on (barrel)`);
    return found;
  });

const names: Rule = (sources) =>
  sources.flatMap(({ path }) => {
    const parts = path.split('/').slice(1);
    const odd = parts.filter(
      (part) =>
        !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.ts)?$/.test(part) || /^(?:utils?|helpers?|manager|common)(?:\.ts)?$/.test(part),
    );
    return odd.map((part) => `${path}: "${part}" is no name for a file`);
  });

/** Tables, of which a reader sees one row at a time. */
const TABLES = new Set(['src/core/errors.ts', 'src/settings/schema.ts']);

const sizes: Rule = (sources) =>
  sources.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - 1;
    return lines > 400 && !TABLES.has(path) ? [`${path}: ${lines} lines`] : [];
  });

const headers: Rule = (sources) =>
  sources
    .filter(({ text }) => !/^(?:#![^\n]*\n)?\/\*\*/.test(text))
    .map(({ path }) => `${path}: does not begin with what it knows, promises and refuses`);

const protocolOf = (path: string): string | undefined => /^src\/drivers\/([^/]+)\//.exec(path)?.[1];

const protocols: Rule = (sources) =>
  sources.flatMap((one) =>
    one.imports
      .filter(({ from }) => from.startsWith('.'))
      .flatMap(({ from }) => {
        const to = target(one, from);
        const [own, other] = [protocolOf(one.path), protocolOf(to)];
        if (to === 'src/drivers/index.ts' && !/^src\/(?:drivers\/catalog|main|commands\/[^/]+)\.ts$/.test(one.path))
          return [`${one.path}: may not read the list of drivers`];
        if (other === undefined || other === own || one.path === 'src/drivers/index.ts') return [];
        if (own !== undefined) return [`${one.path}: protocol ${own} may not know ${other}`];
        return one.path.startsWith('src/drivers/') ? [`${one.path}: only index.ts may know ${other}`] : [];
      }),
  );

const flowOf = (path: string): string | undefined => /^src\/flows\/([^/.]+)/.exec(path)?.[1];

const flows: Rule = (sources) =>
  sources.flatMap((one) =>
    one.imports
      .filter(({ from }) => from.startsWith('.'))
      .map(({ from }) => [flowOf(one.path), flowOf(target(one, from))] as const)
      .filter(([own, other]) => own !== undefined && other !== undefined && own !== other)
      .map(([own, other]) => `${one.path}: flow ${own ?? ''} may not know flow ${other ?? ''}`),
  );

const cycles: Rule = (sources) => {
  const graph = new Map(
    sources.map((one) => [
      one.path,
      one.imports
        .filter(({ from, typeOnly }) => from.startsWith('.') && !typeOnly)
        .map(({ from }) => target(one, from)),
    ]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
    else if (!done.has(path)) for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
};

const HEAD = '/** Says nothing. */\n';
const RULES: readonly (readonly [string, Rule, readonly (readonly [string, string])[]])[] = [
  [
    'imports go down only, and rooms of one floor do not know each other',
    floors,
    [
      ['src/core/a.ts', "import { x } from '../store/a.js';"],
      ['src/rules/a.ts', "import type { x } from '../drivers/driver.js';"],
      ['src/store/a.ts', "type X = import('../uplink/a.js').X;"],
      ['src/uplink/a.ts', "const x = await import('../flows/a.js');"],
      ['src/platform/a.ts', "import { x } from '../links/open.js';"],
      ['src/attic/a.ts', ''],
    ],
  ],
  [
    'relative imports name a file of ours and end in .js',
    relativeImports,
    [
      ['src/core/a.ts', "import { x } from './nowhere.js';"],
      ['src/core/b.ts', "import { x } from './a';"],
    ],
  ],
  [
    'one importer for each package',
    owners,
    [
      ['src/flows/a.ts', "import { connect } from 'mqtt';"],
      ['src/drivers/a.ts', "import type { SerialPort } from 'serialport';"],
      ['src/links/a.ts', "import { SerialPort } from 'serialport';"],
      ['src/web/a.ts', "import Database from 'better-sqlite3';"],
    ],
  ],
  [
    'nothing but dependencies is imported',
    dependencies,
    [
      ['src/core/a.ts', "import _ from 'lodash';"],
      ['src/core/b.ts', "import { test } from 'vitest';"],
    ],
  ],
  [
    'only core/time.ts touches the clock',
    time,
    [
      ['src/core/a.ts', 'const x = Date.now();'],
      ['src/core/b.ts', 'const x = new Date(0);'],
      ['src/core/c.ts', 'setTimeout(() => {}, 1);'],
      ['src/core/d.ts', 'const s = AbortSignal.timeout(5);'],
      ['src/core/e.ts', "import { setTimeout as wait } from 'node:timers/promises';"],
      ['src/core/f.ts', 'const x = globalThis.performance.now();'],
      ['src/core/g.ts', "const x = new Intl.DateTimeFormat('zh');"],
    ],
  ],
  [
    'no enum, namespace, decorator, default export, barrel or console',
    forms,
    [
      ['src/core/a.ts', 'enum A { B }'],
      ['src/core/b.ts', 'export default 1;'],
      ['src/core/c.ts', 'export default function a() {}'],
      ['src/core/d.ts', "export * from './a.js';"],
      ['src/core/e.ts', "export { x } from './a.js';"],
      ['src/core/f.ts', 'namespace A {}'],
      ['src/core/g.ts', 'console.log(1);'],
      ['src/core/h.ts', '@a class B {}'],
    ],
  ],
  [
    'files are named for what they hold, in kebab-case',
    names,
    [
      ['src/core/utils.ts', ''],
      ['src/core/FileReader.ts', ''],
      ['src/helpers/a.ts', ''],
    ],
  ],
  ['files have at most 400 lines', sizes, [['src/core/a.ts', '\n'.repeat(401)]]],
  [
    'protocols do not know each other, and only the catalog and the commands read their list',
    protocols,
    [
      ['src/drivers/a/codec.ts', "import { x } from '../b/codec.js';"],
      ['src/drivers/framing.ts', "import { x } from './b/codec.js';"],
      ['src/web/a.ts', "import { DRIVERS } from '../drivers/index.js';"],
    ],
  ],
  [
    'flows do not know each other',
    flows,
    [
      ['src/flows/seal.ts', "import { x } from './forward.js';"],
      ['src/flows/seal.ts', "import type { x } from './forward/window.js';"],
    ],
  ],
  ['no import goes round', cycles, [['src/core/a.ts', "import { x } from './a.js';"]]],
];

describe('the house', () => {
  const sources = allSources(root);

  test.each(RULES)('%s', (_, rule, samples) => {
    for (const [path, text] of samples) expect(rule([source(path, HEAD + text)]), `${path}: ${text}`).not.toEqual([]);
    expect(rule(sources)).toEqual([]);
  });

  test('every file begins with what it knows, promises and refuses', () => {
    expect(headers([source('src/core/a.ts', 'const x = 1;')])).not.toEqual([]);
    expect(headers(sources)).toEqual([]);
  });

  test('the rules let good code pass', () => {
    const good = [
      source('src/core/time.ts', `${HEAD}export const now = (): number => Date.now();`),
      source(
        'src/store/a.ts',
        `${HEAD}import { now } from '../core/time.js';\n// new Date() in a comment\nexport const a = { Date: 'setTimeout(', at: row.Date, now };`,
      ),
      source('src/classes/a.ts', `${HEAD}import { a } from '../store/a.js';\nexport const b = a;`),
      source(
        'src/drivers/zk/session.ts',
        `${HEAD}import type { Driver } from '../driver.js';\nexport const driver: Driver | null = null;`,
      ),
      source('src/drivers/driver.ts', `${HEAD}export interface Driver { readonly name: string }`),
      source(
        'src/drivers/index.ts',
        `${HEAD}import { driver } from './zk/session.js';\nexport const DRIVERS = [driver];`,
      ),
      source(
        'src/main.ts',
        `#!/usr/bin/env node\n${HEAD}import { DRIVERS } from './drivers/index.js';\nimport { run } from './commands/run.js';\nrun(DRIVERS);`,
      ),
      source('src/commands/run.ts', `${HEAD}export function run(x: unknown): void { switch (x) { default: } }`),
    ];
    for (const [name, rule] of RULES) expect(rule(good), name).toEqual([]);
    expect(headers(good)).toEqual([]);
  });

  test('the whole source was read', () => {
    expect(sources.length).toBeGreaterThan(40);
    expect(sources.find((one) => one.path === 'src/core/unit.ts')?.imports).toContainEqual({
      from: './log.js',
      typeOnly: true,
      reexport: false,
    });
  });

  test('every error code is documented and used', () => {
    const document = readFileSync(join(root, 'docs/errors.md'), 'utf8');
    const used = sources
      .filter((one) => one.path !== 'src/core/errors.ts')
      .map((one) => one.text)
      .join('\n');
    const codes = Object.keys(ERRORS);
    expect(codes.filter((code) => !document.includes(`### ${code}\n`))).toEqual([]);
    expect(codes.filter((code) => !used.includes(`'${code}'`) && code !== 'unexpected')).toEqual([]);
  });

  test('every protocol has a README', () => {
    const folders = new Set(sources.map((one) => protocolOf(one.path)).filter((name) => name !== undefined));
    expect([...folders].filter((name) => !existsSync(join(root, 'src/drivers', name, 'README.md')))).toEqual([]);
  });
});
