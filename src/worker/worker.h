/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The background processes: launcher, dispatcher, worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_WORKER_H
#define DX_WORKER_H

#include "postgres.h"

extern void dx_launcher_init(void);
extern PGDLLEXPORT void dx_launcher_main(Datum arg);
extern PGDLLEXPORT void dx_dispatcher_main(Datum arg);
extern PGDLLEXPORT void dx_worker_main(Datum arg);

#endif							/* DX_WORKER_H */
