/**
 * The driver for logs carried on a stick: ZKTeco `N_attlog.dat`, Timmy `GLG_001.TXT` and `AGL_001.TXT`, CSV exports in Chinese and
 * English. Its link is the bytes of a file (`file:///…`). It rescues sites with any terminal that no other driver reads. See README.md.
 */
import type { Driver } from '../driver.js';
import { WIRE_FAULTS } from '../faults.js';
import { createDecoder } from './decoder.js';
import { usbFileOptions, usbFileSimulatorOptions, type UsbFileOptions } from './options.js';
import { scrub } from './scrub.js';
import { createSession } from './session.js';
import { simulateUsbFile } from './simulator.js';

export const usbFile: Driver<UsbFileOptions> = {
  name: 'usb-file',
  options: usbFileOptions,
  simulatorOptions: usbFileSimulatorOptions,
  faults: [...WIRE_FAULTS, 'spreadsheet-id', 'impossible-date', 'duplicate-record', 'torn-line', 'minutes-only'],
  capabilities: new Set(['punch.poll']),
  defaultPort: null,
  reaches: new Set(['file']),
  decoderVersion: '1',
  seqIsIdentity: false,
  open: (link, options, wire, signal) => Promise.resolve(createSession(link, options, wire, signal)),
  decoder: createDecoder,
  scrub,
  simulate: simulateUsbFile,
};
