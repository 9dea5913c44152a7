/**
 * XML to the same kind of tree that JSON gives, and back, for the little XML of ISAPI. The only importer of fast-xml-parser here.
 * Namespaces differ between firmwares (isapi.org, hikvision.com, std-cgi.com), so local names count. Entities of the document are
 * never expanded; the five of the standard and characters by number are, by hand. Never throws: what is no XML is null.
 */
import { XMLParser } from 'fast-xml-parser';

/** What a document says: texts, objects and lists of them. */
export type Tree = Readonly<Record<string, unknown>>;

const parser = new XMLParser({
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  processEntities: false,
  trimValues: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
});

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(lt|gt|amp|quot|apos));/g, (whole, ...found: unknown[]) => {
    const [decimal, hex, name] = found as (string | undefined)[];
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex ?? '0', 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function plain(value: unknown): unknown {
  if (typeof value === 'string') return unescape(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** The document as `{ root: … }`; null when it is no XML. */
export function parseXml(text: string): Tree | null {
  try {
    const tree: unknown = plain(parser.parse(text));
    return typeof tree === 'object' && tree !== null && Object.keys(tree).length > 0 ? (tree as Tree) : null;
  } catch {
    // Whatever the parser did not like, including a document nested too deeply for it.
    return null;
  }
}

const escape = (text: string): string =>
  text.replace(/[<>&"']/g, (char) => `&${Object.keys(ENTITIES).find((name) => ENTITIES[name] === char) ?? ''};`);

function elements(name: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((one) => elements(name, one)).join('');
  if (value === undefined || value === null) return '';
  if (typeof value === 'object') return `<${name}>${inner(value as Tree)}</${name}>`;
  return `<${name}>${escape(typeof value === 'string' ? value : JSON.stringify(value))}</${name}>`;
}

const inner = (tree: Tree): string =>
  Object.entries(tree)
    .map(([name, value]) => elements(name, value))
    .join('');

/** A document with one root element. */
export function writeXml(root: string, tree: Tree, namespace = 'http://www.isapi.org/ver20/XMLSchema'): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} version="2.0" xmlns="${namespace}">${inner(tree)}</${root}>`;
}
