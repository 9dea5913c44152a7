/** All that a definition, a technician or a test may say about an FC-8x00 terminal that pushes by HTTP, and its simulator. */
import { z } from 'zod';

export const fcardHttpOptions = z.strictObject({
  /** Seconds without a record, and with a keep-alive, after which everything is taken to have come. */
  quietSeconds: z.number().min(2).max(300).default(15),
  /** Seconds without any request after which the terminal is gone. Its keep-alive is set at the terminal, 60 as a rule. */
  silenceSeconds: z.number().min(10).max(3600).default(200),
  /** Longest that a change of the list of people may take: it waits for the next keep-alives. */
  peopleSeconds: z.number().min(30).max(3600).default(300),
  /** Zone in which `rollcall decode` shows the times of records; a session uses the zone of its terminal. */
  decodeZone: z.string().max(60).default('Asia/Shanghai'),
});

export type FcardHttpOptions = z.output<typeof fcardHttpOptions>;

export const fcardHttpSimulatorOptions = z.strictObject({
  keepAliveSeconds: z.number().min(1).max(600).default(10),
  /** How long it waits for an answer, and until it tries again. */
  answerSeconds: z.number().min(1).max(120).default(30),
  againSeconds: z.number().min(1).max(120).default(10),
  /** The parts are compressed. */
  gzip: z.boolean().default(false),
  /** Name of the part with the record: both occur. */
  detailName: z.enum(['RecordDetail', 'recordJson']).default('RecordDetail'),
  /** A blank before the serial number, as firmware was seen to send. */
  blankBeforeSn: z.boolean().default(false),
  /** Records that were uploaded to another server before. */
  uploaded: z.number().int().min(0).default(0),
  photoBytes: z.number().int().min(0).max(400_000).default(0),
  personCapacity: z.number().int().min(0).max(100_000).default(5000),
  firmware: z.string().max(40).default('6.21'),
});

export type FcardHttpSimulatorOptions = z.output<typeof fcardHttpSimulatorOptions>;
