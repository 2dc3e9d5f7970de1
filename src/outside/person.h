/*-------------------------------------------------------------------------
 *
 * person.h
 *	  Who decides: a person who has logged in, and whose own statement it is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_OUTSIDE_PERSON_H
#define DX_OUTSIDE_PERSON_H

extern void dx_require_person(void);

#endif							/* DX_OUTSIDE_PERSON_H */
