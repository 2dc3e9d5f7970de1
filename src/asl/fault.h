/*-------------------------------------------------------------------------
 *
 * fault.h
 *	  An error of the language, and the names of those that are reserved.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_ASL_FAULT_H
#define DX_ASL_FAULT_H

/* An error name and its cause, as the language knows them. */
typedef struct DxFault
{
	char	   *error;			/* e.g. "States.Timeout"; NULL: failed without
								 * a name */
	char	   *cause;			/* text for people, or NULL */
} DxFault;

#define DX_ERROR_ALL			"States.ALL"
#define DX_ERROR_TASK_FAILED	"States.TaskFailed"
#define DX_ERROR_TIMEOUT		"States.Timeout"
#define DX_ERROR_HEARTBEAT		"States.HeartbeatTimeout"
#define DX_ERROR_RUNTIME		"States.Runtime"
#define DX_ERROR_DATA_LIMIT		"States.DataLimitExceeded"
#define DX_ERROR_PERMISSIONS	"States.Permissions"
#define DX_ERROR_RESULT_PATH	"States.ResultPathMatchFailure"
#define DX_ERROR_PARAMETER_PATH	"States.ParameterPathFailure"
#define DX_ERROR_BRANCH_FAILED	"States.BranchFailed"
#define DX_ERROR_NO_CHOICE		"States.NoChoiceMatched"
#define DX_ERROR_INTRINSIC		"States.IntrinsicFailure"
#define DX_ERROR_THRESHOLD		"States.ExceedToleratedFailureThreshold"
#define DX_ERROR_ITEM_READER	"States.ItemReaderFailed"
#define DX_ERROR_RESULT_WRITER	"States.ResultWriterFailed"
#define DX_ERROR_EVENTS			"Limit.Events"
#define DX_ERROR_QUERY			"States.QueryEvaluationError"

#endif							/* DX_ASL_FAULT_H */
