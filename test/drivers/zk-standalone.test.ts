/** The contract of drivers, kept by zk-standalone in every layout and habit that terminals of this protocol have. */
import { fileURLToPath } from 'node:url';
import { zkStandalone } from '../../src/drivers/zk-standalone/driver.js';
import { driverContract } from './contract.js';
import { loadCaptures } from './rig.js';
import { zkRoundTrips } from './zk-standalone-arbitraries.js';

const samples = loadCaptures(fileURLToPath(new URL('../captures/zk-standalone', import.meta.url)));

driverContract({
  driver: zkStandalone,
  variants: [
    { name: 'with records of 40 bytes in chunks', simulatorOptions: { smallAnswerBytes: 0, packetBytes: 100 } },
    { name: 'with a small answer' },
    { name: 'with records of 16 bytes', simulatorOptions: { recordBytes: 16, smallAnswerBytes: 0 } },
    { name: 'with records of 8 bytes', simulatorOptions: { recordBytes: 8, smallAnswerBytes: 0 } },
    { name: 'with records of 8 bytes in small answers', simulatorOptions: { recordBytes: 8, userBytes: 28 } },
    { name: 'of old firmware (direct read)', simulatorOptions: { directOnly: true, smallAnswerBytes: 0 } },
    { name: 'with a comm key', simulatorOptions: { commKey: 8421 }, options: { commKey: 8421 } },
    { name: 'that wants function 1', simulatorOptions: { attendanceFunction: 1 } },
    { name: 'with GET_FREE_SIZES of 92 bytes', simulatorOptions: { sizesBytes: 92 } },
    { name: 'that keeps its session id in DATA', simulatorOptions: { dataSession: 'session', smallAnswerBytes: 0 } },
    { name: 'over datagrams', datagrams: true, simulatorOptions: { smallAnswerBytes: 0 } },
    {
      name: 'over datagrams that get lost',
      datagrams: true,
      simulatorOptions: { smallAnswerBytes: 0, packetBytes: 200 },
      faults: { lose: '0.05' },
    },
    {
      name: 'over datagrams that come twice',
      datagrams: true,
      simulatorOptions: { smallAnswerBytes: 0, packetBytes: 200 },
      faults: { repeat: '2' },
    },
    {
      name: 'over datagrams that overtake each other',
      datagrams: true,
      simulatorOptions: { smallAnswerBytes: 0, packetBytes: 200 },
      faults: { reorder: '3' },
    },
    {
      name: 'over datagrams, with every misfortune and records of 8 bytes',
      datagrams: true,
      simulatorOptions: { recordBytes: 8, userBytes: 28, smallAnswerBytes: 0, packetBytes: 100 },
      faults: { reorder: '', repeat: '', lose: '' },
    },
    {
      name: 'over datagrams without an index',
      datagrams: true,
      simulatorOptions: { smallAnswerBytes: 0, packetBytes: 200, dataSession: 'session' },
      faults: { lose: '0.03' },
    },
    {
      name: 'of old firmware over datagrams',
      datagrams: true,
      simulatorOptions: {
        directOnly: true,
        directRefusal: 'error',
        smallAnswerBytes: 0,
        recordBytes: 16,
        userBytes: 28,
      },
      faults: { lose: '0.03' },
    },
    {
      name: 'with an odd answer to CONNECT and none to EXIT',
      simulatorOptions: { connectReplyId: 7, connectExtraByte: true, exitAck: false },
    },
  ],
  samples,
  roundTrips: zkRoundTrips,
  eventFault: { 'interleave-event': '3' },
});

// What the contract asks of the wire, asked of datagrams. Noise before a datagram spoils it, so there it is a loss like others.
driverContract({
  driver: zkStandalone,
  variants: [{ name: 'on UDP', datagrams: true, simulatorOptions: { smallAnswerBytes: 0, packetBytes: 100 } }],
  samples: samples.filter((sample) => sample.name === 'records-16.device.cap'),
  eventFault: { 'interleave-event': '3' },
  survivesNoise: false,
});
