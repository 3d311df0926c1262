"""Defects4J: real bugs of Java projects (Just, Jalali and Ernst 2014, rjust/defects4j)."""
