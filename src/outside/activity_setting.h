/*-------------------------------------------------------------------------
 *
 * activity_setting.h
 *	  Sets the limits of an activity.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_ACTIVITY_SETTING_H
#define DX_OUTSIDE_ACTIVITY_SETTING_H

extern void dx_activity_limit(const char *activity, int max_in_flight, double rate,
							  bool per_owner);

#endif							/* DX_OUTSIDE_ACTIVITY_SETTING_H */
