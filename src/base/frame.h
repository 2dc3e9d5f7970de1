/*-------------------------------------------------------------------------
 *
 * frame.h
 *	  The one transaction frame of background processes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_FRAME_H
#define DX_BASE_FRAME_H

extern void dx_frame_begin(const char *activity);
extern void dx_frame_commit(void);
extern int	dx_frame_shortage(void);

/* In a PG_CATCH of a background process: report, abort, be idle. */
extern void dx_frame_abort(void);
extern ErrorData *dx_subtransaction(void (*body) (void *arg), void *arg);

/* The last error of this process, whether or not the log has it. */
extern void dx_error_note(const ErrorData *edata);
extern const char *dx_error_last(int *sqlstate);

extern void dx_frame_read_write(void);

#endif							/* DX_BASE_FRAME_H */
