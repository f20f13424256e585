/* SPDX-License-Identifier: BSD-2-Clause */
/* Until the receiver is there: a pair that only sends. Weak, so that the real ones win; goes away with them. */
#include "sync/engine.h"
#define WEAK __attribute__((weak))
WEAK int sync_receive_init(struct sync_thread *t, struct fp_err *err) { return 0; }
WEAK void sync_receive_fini(struct sync_thread *t) { }
WEAK void sync_receive(struct sync_thread *t, uint16_t ifid, uint8_t af, const uint8_t *src, unsigned ttl, const uint8_t *p, size_t len) { }
WEAK void sync_receive_flush(struct sync_thread *t) { }
WEAK unsigned sync_receive_turn(struct sync_thread *t) { return 0; }
WEAK int sync_bulk_init(struct sync_thread *t) { return 0; }
WEAK void sync_bulk_fini(struct sync_thread *t) { }
WEAK void sync_bulk_event(struct sync_thread *t, enum sync_bulk_event ev) { }
WEAK unsigned sync_bulk_turn(struct sync_thread *t) { return 0; }
WEAK void sync_bulk_info(struct sync_thread *t, struct sync_info *info) { }
WEAK bool sync_apply(struct fp_worker *w, struct sync_slice *sl, struct sync_msg_w *m) { return true; }
