/*-------------------------------------------------------------------------
 *
 * person.h
 *	  Who decides: a person who has logged in, and whose own statement it is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DX_GOVERNANCE_PERSON_H
#define DX_GOVERNANCE_PERSON_H

extern void dx_require_person(const char *does);

#endif							/* DX_GOVERNANCE_PERSON_H */
