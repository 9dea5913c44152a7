/** Prometheus metrics, made at each scrape from the status: one source of truth, nothing to keep in step. */
import { Gauge, Registry } from 'prom-client';
import type { GatewayStatus, PartStatus } from './status.js';

const GOOD = new Set(['live', 'waiting', 'reading', 'connected', 'ok']);

export function createMetrics(): (status: GatewayStatus) => Promise<{ readonly type: string; readonly body: string }> {
  const registry = new Registry();
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name: `rollcall_${name}`, help, labelNames, registers: [registry] });

  const ready = gauge('ready', '1 when the gateway does its work');
  const punches = gauge('punches_stored', 'Raw punches in the journal');
  const journal = gauge('journal_records', 'Facts of every kind in the journal');
  const pendingRecords = gauge('pending_records', 'Facts that the platform has not acknowledged');
  const pendingBatches = gauge('pending_batches', 'Sealed batches that the platform has not acknowledged');
  const oldest = gauge(
    'oldest_pending_timestamp_seconds',
    'Receive time of the oldest fact not acknowledged; 0 when none',
  );
  const lastAck = gauge('last_ack_timestamp_seconds', 'Time of the last platform acknowledgement; 0 when none');
  const terminal = gauge('terminal_up', '1 when the terminal answers', ['terminal']);
  const offset = gauge('terminal_clock_offset_seconds', 'Terminal clock minus gateway clock as last measured', [
    'terminal',
  ]);
  const upstream = gauge('upstream_up', '1 when the platform acknowledges', ['upstream']);
  const disk = gauge('disk_free_bytes', 'Free space of the data directory');
  const trusted = gauge('clock_trusted', '1 when the system clock is synchronised');
  const delay = gauge('event_loop_delay_p99_seconds', '99th percentile of the event-loop delay since start');
  const memory = gauge('resident_memory_bytes', 'Resident memory of the process');
  const restarts = gauge('unit_restarts', 'Restarts of a unit since start', ['unit']);

  const up = (part: PartStatus): number => (GOOD.has(part.state) ? 1 : 0);

  return async (status) => {
    ready.set(status.ready ? 1 : 0);
    punches.set(status.punches);
    journal.set(status.journal.n);
    pendingRecords.set(status.pendingRecords);
    pendingBatches.set(status.pendingBatches);
    oldest.set((status.oldestPendingAt ?? 0) / 1000);
    lastAck.set((status.lastAckAt ?? 0) / 1000);
    for (const one of status.terminals) {
      terminal.set({ terminal: one.id }, up(one));
      const ms = one.details.offsetMs;
      if (typeof ms === 'number') offset.set({ terminal: one.id }, ms / 1000);
    }
    for (const one of status.upstreams) upstream.set({ upstream: one.id }, up(one));
    const freeMb = status.disk.details.freeMb;
    if (typeof freeMb === 'number') disk.set(freeMb * 1024 * 1024);
    trusted.set(status.clock.state === 'ok' ? 1 : 0);
    delay.set(status.loopDelayP99Ms / 1000);
    memory.set(process.memoryUsage.rss());
    for (const unit of status.units) restarts.set({ unit: unit.name }, unit.restarts);
    return { type: registry.contentType, body: await registry.metrics() };
  };
}
