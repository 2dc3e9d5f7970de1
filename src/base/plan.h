/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  Statements of the engine, with saved plans.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_BASE_PLAN_H
#define DX_BASE_PLAN_H

#include "executor/spi.h"

/*
 * A statement of the engine.  Declare it static in the file that uses it, not
 * const: the plan is made at first use and kept in it.  Only between dx_engine_enter
 * and dx_engine_leave, and under SPI_connect.
 */
typedef struct DxStatement
{
	const char *sql;
	int			nargs;
	Oid			argtypes[24];
	SPIPlanPtr	plan;
} DxStatement;

extern int	dx_execute(DxStatement *statement, Datum *values, const char *nulls,
					   bool read_only, long max_rows);
extern void dx_query(DxStatement *statement, Datum *values, const char *nulls,
					 bool read_only, long max_rows);
extern int	dx_execute_latest(DxStatement *statement, Datum *values);

/* What a saved plan takes, roughly. */
extern Size dx_plan_size(SPIPlanPtr plan);

#endif							/* DX_BASE_PLAN_H */
