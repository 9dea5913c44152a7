/**
 * What is fuzzed: every driver of `src/drivers/index.ts` as compiled, with its captures cut into messages, and the options under
 * which they are read. A driver without captures is an error. Beside them stand planted drivers that do what is forbidden:
 * a run begins by catching those, so that a net with a hole is found out before it catches nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseHex } from '../../dist/core/bytes.js';
import { DRIVERS } from '../../dist/drivers/index.js';

const CAPTURES = new URL('../captures/', import.meta.url).pathname;
const FRAME_BYTES_MAX = 1500;

/** Options beyond the defaults: other layouts, other encodings, keys of the captures. */
const OPTIONS = {
  'zk-standalone': [{}, { recordBytes: 8 }, { recordBytes: 16, verifyStateOrder: 'state-first', encoding: 'gbk' }],
  'hanvon-faceid': [{}, { commKey: '2580' }],
  'usb-file': [{ serial: 'TEST0001' }],
};

function decode(driver, options, from, bytes) {
  const decoder = driver.decoder(options, from);
  return [...decoder.push(bytes), ...decoder.end()];
}

/** A capture as messages; it is read with the options that leave the least noise. */
function framesOf(driver, options, { from, bytes }) {
  const noise = (told) => told.reduce((sum, one) => sum + (one.kind === 'noise' ? one.bytes.length : 0), 0);
  const [best] = options.map((one) => decode(driver, one, from, bytes)).sort((one, other) => noise(one) - noise(other));
  return best.filter((one) => one.kind !== 'punch').map((one) => Buffer.from(one.bytes.subarray(0, FRAME_BYTES_MAX)));
}

function loadSamples(driver, options) {
  const directory = join(CAPTURES, driver.name);
  return readdirSync(directory)
    .filter((name) => name.endsWith('.cap'))
    .map((name) => {
      const text = readFileSync(join(directory, name), 'utf8');
      const from = /^# from: (device|gateway)$/m.exec(text)?.[1];
      if (!from) throw new Error(`${driver.name}/${name}: "# from:" is missing`);
      return { from, frames: framesOf(driver, options, { from, bytes: parseHex(text) }) };
    })
    .filter((sample) => sample.frames.length > 0);
}

/** `{ driver, options[], samples[] }` of one driver by its name. */
export function subjectOf(name) {
  const planted = PLANTED[name];
  if (planted)
    return { driver: planted, options: [{}], samples: [{ from: 'device', frames: [Buffer.from('planted')] }] };
  const driver = DRIVERS.find((one) => one.name === name);
  if (!driver) throw new Error(`no driver ${name}; there are ${NAMES.join(', ')}`);
  const options = (OPTIONS[name] ?? [{}]).map((one) => driver.options.parse(one));
  const samples = loadSamples(driver, options);
  if (samples.length === 0) throw new Error(`${name} has no captures to spoil`);
  return { driver, options, samples };
}

export const NAMES = DRIVERS.map((one) => one.name);

const noise = (bytes) => [{ kind: 'noise', bytes, reason: 'planted' }];
const harmless = (name, parts) => ({
  name,
  decoder: () => ({ push: noise, end: () => [] }),
  scrub: (_options, _from, bytes) => bytes,
  ...parts,
});
/** A decoder that does something wrong with a piece that begins with FF. */
const spoilt = (wrong) => ({
  decoder: () => ({ push: (chunk) => (chunk[0] === 0xff ? wrong(chunk) : noise(chunk)), end: () => [] }),
});
const kept = [];

/** Once for each input, at its end, or a run of many pieces would look like a hang. */
function slow() {
  let marked = false;
  const push = (chunk) => {
    marked ||= chunk[0] === 0xff;
    return noise(chunk);
  };
  // Of the processor too, since a slow call is measured again by that.
  const end = () => {
    const until = performance.now() + 60;
    const began = process.cpuUsage().user;
    while (marked && (performance.now() < until || process.cpuUsage().user - began < 120_000));
    return [];
  };
  return { push, end };
}

/** What each does wrong is what a run must report. */
export const PLANTED = Object.fromEntries(
  [
    harmless(
      'planted-throws',
      spoilt((chunk) => chunk.none.length),
    ),
    harmless('planted-slow', { decoder: slow }),
    harmless(
      'planted-hangs',
      spoilt((chunk) => {
        while (chunk[0] === 0xff);
        return [];
      }),
    ),
    harmless('planted-keeps', {
      scrub: (_options, _from, bytes) => {
        kept.push(new Uint8Array(100_000));
        return bytes;
      },
    }),
    harmless(
      'planted-loses',
      spoilt(() => []),
    ),
    harmless('planted-minds', {
      decoder: () => ({
        push: (bytes) => [{ kind: 'message', name: String(bytes.length), fields: {}, bytes }],
        end: () => [],
      }),
    }),
    harmless('planted-shortens', { scrub: (_options, _from, bytes) => bytes.subarray(0, 3) }),
    harmless('planted-hears', { called: { hear: (first) => ({ is: first[0] === 0xff ? 'perhaps' : 'no' }) } }),
    harmless('planted-reads', { search: { read: (bytes) => (bytes[0] === 0xff ? bytes.none.serial : null) } }),
  ].map((one) => [one.name, one]),
);
