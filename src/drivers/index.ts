/** The list of drivers; nothing else. */
import { anvizTcb } from './anviz-tcb/driver.js';
import type { Driver } from './driver.js';
import { zkStandalone } from './zk-standalone/driver.js';

export const DRIVERS: readonly Driver[] = [zkStandalone, anvizTcb];
