"""What recurs, named by when, where and who: the lunch crowd, Fridays at the mall, the wave of the holidays."""
