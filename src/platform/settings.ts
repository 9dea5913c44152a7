/**
 * Settings of `rollcall platform run`: one YAML file. Unknown keys are errors; relative paths are relative to the file;
 * a password is read from a file of its own and is never part of the settings.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { fail, systemCode } from '../core/errors.js';
import type { GatewayEntry } from './registry.js';

const path = z.string().min(1);

const mqttSchema = z.strictObject({
  /** 5, 3.1.1, or `auto`: 5 first, 3.1.1 when the broker refuses it. */
  version: z.enum(['auto', '5', '3.1.1']).default('auto'),
  /** Shared subscription `$share/{group}/…`, so that several workers divide the work. `auto`: where the broker can. */
  shared: z.union([z.literal('auto'), z.boolean()]).default('auto'),
  group: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .default('rx'),
  receiveMaximum: z.number().int().min(1).max(65_535).default(64),
  username: z.string().optional(),
  passwordFile: path.optional(),
  caFile: path.optional(),
  certFile: path.optional(),
  keyFile: path.optional(),
});

const settingsSchema = z.strictObject({
  dataDir: path,
  url: z.string().regex(/^(?:mqtts?|wss?|tcp|tls):\/\//),
  /** In front of `att/v1`, for a broker that is shared with others; with or without its last slash. */
  prefix: z
    .string()
    .regex(/^[^+#$]*$/)
    .default(''),
  gateways: path.optional(),
  mqtt: mqttSchema.prefault({}),
  ackMergeMs: z.number().int().min(0).max(200).default(20),
  groupMax: z.number().int().min(1).max(256).default(32),
  /** Publish the retained platform state. With several workers, one that does is enough. */
  announce: z.boolean().default(true),
  win: z.number().int().min(1).max(64).default(4),
  spreadSeconds: z.number().int().min(0).max(3600).default(30),
});

export type PlatformSettings = z.infer<typeof settingsSchema>;
export type PlatformInput = z.input<typeof settingsSchema> & { readonly registered?: readonly GatewayEntry[] };

export interface PlatformSecrets {
  readonly password?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Checks settings given by a program or read from a file; throws `platform-config` naming the member that is wrong. */
export function checkSettings(value: unknown, file = 'the settings'): PlatformSettings {
  const parsed = settingsSchema.safeParse(value);
  if (parsed.success) {
    const { prefix } = parsed.data;
    return { ...parsed.data, prefix: prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/` };
  }
  const issue = parsed.error.issues[0];
  throw fail('platform-config', { file, reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}` });
}

export function readSettings(file: string): PlatformSettings {
  let value: unknown;
  try {
    value = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = systemCode(error) ?? (error instanceof Error ? error.message : String(error));
    throw fail('platform-config', { file, reason }, error);
  }
  const settings = checkSettings(value, file);
  const at = (name: string): string => resolve(dirname(file), name);
  const { passwordFile, caFile, certFile, keyFile } = settings.mqtt;
  return {
    ...settings,
    dataDir: at(settings.dataDir),
    ...(settings.gateways === undefined ? {} : { gateways: at(settings.gateways) }),
    mqtt: {
      ...settings.mqtt,
      ...(passwordFile === undefined ? {} : { passwordFile: at(passwordFile) }),
      ...(caFile === undefined ? {} : { caFile: at(caFile) }),
      ...(certFile === undefined ? {} : { certFile: at(certFile) }),
      ...(keyFile === undefined ? {} : { keyFile: at(keyFile) }),
    },
  };
}

/** Reads the files that the settings name; an unreadable one throws `platform-config` with its path and nothing of its content. */
export function readSecrets(settings: PlatformSettings): PlatformSecrets {
  const read = (file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw fail('platform-config', { file, reason: systemCode(error) ?? 'unreadable' }, error);
    }
  };
  const { mqtt } = settings;
  return {
    password: read(mqtt.passwordFile)?.trimEnd(),
    ca: read(mqtt.caFile),
    cert: read(mqtt.certFile),
    key: read(mqtt.keyFile),
  };
}
