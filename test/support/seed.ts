/**
 * In CI every property test runs with one seed, so that a run tells of the change and not of the dice; everywhere else the
 * seeds are random, and a counterexample becomes a test. `FC_SEED` repeats a run.
 */
import fc from 'fast-check';

const given = process.env.FC_SEED ?? (process.env.CI ? '20261122' : '');
if (given !== '') fc.configureGlobal({ seed: Number(given) });
