/** A directory with a settings file, definitions and presets, for one test. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { POLICY_DIR } from '../../src/policies.js';
import { loadSettings, type LoadedSettings, type LoadOptions } from '../../src/settings.js';
import { sampleDriver } from './sample-driver.js';

export interface SettingsPlace {
  readonly dir: string;
  readonly file: string;
  write(name: string, text: string, mode?: number): string;
  load(options?: Partial<LoadOptions>): LoadedSettings;
}

export const MODEL = `id: acme-f100
vendor: Acme
model: "F100"
driver: sample-tc
reach: { tcp: { port: 5010 } }
capabilities: [punch.poll, clock.read]
quirks:
  - { option: recordBytes, value: 17, why: "Firmware 2.10 adds a mask flag to each record." }
`;

export function createPlace(settings: string): SettingsPlace {
  const dir = mkdtempSync(join(tmpdir(), 'rollcall-settings-'));
  const write = (name: string, text: string, mode = 0o600): string => {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode });
    return path;
  };
  const file = write('gateway.yaml', settings);
  write('devices/acme-f100.yaml', MODEL);
  for (const name of ['baotou-2023', 'liaoning-2022-practical'])
    write(`policies/${name}.yaml`, readFileSync(join(POLICY_DIR, `${name}.yaml`), 'utf8'));
  write('keys.json', '{"keys":[]}', 0o644);
  return {
    dir,
    file,
    write,
    load: (options = {}) =>
      loadSettings(file, {
        env: {},
        drivers: [sampleDriver],
        devicesDir: join(dir, 'devices'),
        policiesDir: join(dir, 'policies'),
        ...options,
      }),
  };
}

export const GOOD = `site: { name: 东河校区, room: "301" }
dataDir: data
web: { listen: "127.0.0.1:9000" }
terminals:
  - id: front
    model: acme-f100
    reach: tcp://192.168.1.20
    options: { channel: 3 }
  - id: back
    driver: sample-tc
    reach: serial:///dev/ttyUSB0?baud=9600
upstreams:
  - id: city
    gw: gw7k2m9q4x1z
    zone: "150202"
    aud: baotou-hrss
    url: mqtts://att.example.org:8883
    platformKeysFile: keys.json
`;
