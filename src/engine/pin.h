/*-------------------------------------------------------------------------
 *
 * pin.h
 *	  What the names in a version meant when it was published: which
 *	  functions, and whose functions and workflows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ENGINE_PIN_H
#define DX_ENGINE_PIN_H

#include "asl/fault.h"
#include "base/catalog.h"
#include "engine/model.h"
#include "engine/resolve.h"
#include "nodes/pg_list.h"

typedef enum DxPinKind
{
	DX_PIN_FUNCTION = N_PIN_FUNCTION,
	DX_PIN_WORKFLOW = N_PIN_WORKFLOW
} DxPinKind;

typedef struct DxPin
{
	DxPinKind	kind;
	char	   *target;			/* as the resource names it */
	char	   *arguments;		/* of a function: the types; else "" */
	Oid			owner;
} DxPin;

/* A workflow that a state starts is not there. */
#define DX_ERROR_NO_WORKFLOW	"Workflow.DoesNotExist"

extern List *dx_pin_add(List *pins, DxPinKind kind, const char *target,
						const char *arguments, Oid owner);
extern bool dx_pins_equal(const List *a, const List *b);
extern void dx_pins_store(int32 version_id, const List *pins);
extern List *dx_pins_load(int32 version_id);
extern List *dx_pins_of_function(int32 version_id, const char *target);
extern bool dx_pin_owner_holds(const List *pins, const DxCallee *callee,
							   Oid run_owner, DxFault *fault);
extern Oid	dx_function_owner(Oid function);
extern Oid	dx_workflow_author(const char *workflow);
extern bool dx_child_allowed(const DxRun *run, const char *workflow,
							 DxFault *fault);

#endif							/* DX_ENGINE_PIN_H */
