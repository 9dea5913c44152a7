/**
 * XML parts of a workbook, read as a stream of tags and text. Document types and entities are refused, because no spreadsheet
 * program writes them and they are how small files grow large; depth is bounded; the text must be UTF-8.
 */
import { SaxesParser, type SaxesTagNS } from 'saxes';
import { fail, GatewayError } from '../core/errors.js';
import type { Archive } from './archive.js';
import { SHEET_LIMITS } from './sheet.js';

export interface XmlHandlers {
  /** Local name of the element, its attributes by local name, and the local names of what it stands in, outermost first. */
  open?(name: string, attributes: Readonly<Record<string, string>>, within: readonly string[]): void;
  text?(text: string): void;
  /** `false` ends the reading: the rest is not wanted. */
  close?(name: string, within: readonly string[]): boolean | undefined;
}

const broken = (place: string, reason: string, reasonZh: string, cause?: unknown): GatewayError =>
  fail('sheet-broken', { place, reason, reasonZh }, cause);

/** Reads the part `name` to its end. Throws `sheet-broken`, `sheet-declarations`, and what `handlers` throw. */
export async function readXml(archive: Archive, name: string, handlers: XmlHandlers): Promise<void> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const reader = createReader(name, handlers);
  const decode = (piece: Buffer | undefined): string => {
    try {
      return piece === undefined ? decoder.decode() : decoder.decode(piece, { stream: true });
    } catch (error) {
      throw broken(name, 'it is not UTF-8 text', '不是 UTF-8 文本', error);
    }
  };
  await archive.read(name, (piece) => reader.write(decode(piece)));
  if (reader.ended()) return;
  reader.write(decode(undefined));
  reader.end();
}

interface Reader {
  /** False when the rest is not wanted. */
  write(text: string): boolean;
  end(): void;
  ended(): boolean;
}

function createReader(name: string, handlers: XmlHandlers): Reader {
  const parser = new SaxesParser({ xmlns: true, position: true });
  const within: string[] = [];
  let isEnough = false;
  parser.on('doctype', () => {
    throw fail('sheet-declarations', { place: name });
  });
  parser.on('error', (error) => {
    if (/undefined entity/i.test(error.message)) throw fail('sheet-declarations', { place: name });
    throw broken(name, `its XML is wrong in line ${parser.line}`, `第 ${parser.line} 行 XML 有误`);
  });
  parser.on('xmldecl', ({ encoding }) => {
    if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') {
      throw broken(name, 'it is not UTF-8 text', '不是 UTF-8 文本');
    }
  });
  parser.on('opentag', (tag) => {
    if (!isEnough) handlers.open?.(tag.local, attributesOf(tag), within);
    within.push(tag.local);
    if (within.length > SHEET_LIMITS.xmlDepthMax) throw broken(name, 'its XML is nested too deep', 'XML 嵌套过深');
  });
  const take = (text: string): void => {
    if (!isEnough) handlers.text?.(text);
  };
  parser.on('text', take);
  parser.on('cdata', take);
  parser.on('closetag', (tag) => {
    within.pop();
    if (!isEnough && handlers.close?.(tag.local, within) === false) isEnough = true;
  });
  const run = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      throw broken(name, 'its XML cannot be read', 'XML 无法读取', error);
    }
  };
  return {
    write(text) {
      if (!isEnough && text !== '') run(() => void parser.write(text));
      return !isEnough;
    },
    end: () => run(() => void parser.close()),
    ended: () => isEnough,
  };
}

function attributesOf(tag: SaxesTagNS): Readonly<Record<string, string>> {
  const found: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const one of Object.values(tag.attributes)) found[one.local] = one.value;
  return found;
}
