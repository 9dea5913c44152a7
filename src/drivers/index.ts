/** The list of drivers; nothing else. The order is that in which a caller's first bytes are offered to them. */
import { aifaceWs } from './aiface-ws/driver.js';
import { anvizTcb } from './anviz-tcb/driver.js';
import { dahuaAsi } from './dahua-asi/driver.js';
import type { Driver } from './driver.js';
import { fcardHttp } from './fcard-http/driver.js';
import { fcard } from './fcard/driver.js';
import { hanvonFaceid } from './hanvon-faceid/driver.js';
import { hikvisionIsapi } from './hikvision-isapi/driver.js';
import { usbFile } from './usb-file/driver.js';
import { zkPush } from './zk-push/driver.js';
import { zkStandalone } from './zk-standalone/driver.js';

export const DRIVERS: readonly Driver[] = [
  zkStandalone,
  anvizTcb,
  zkPush,
  aifaceWs,
  hikvisionIsapi,
  fcard,
  fcardHttp,
  hanvonFaceid,
  dahuaAsi,
  usbFile,
];
