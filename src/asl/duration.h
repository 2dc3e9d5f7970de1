/*-------------------------------------------------------------------------
 *
 * duration.h
 *	  Lengths of time as ISO 8601 writes them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_DURATION_H
#define DX_ASL_DURATION_H

extern bool dx_duration_parse(const char *text, double *seconds);

#endif							/* DX_ASL_DURATION_H */
